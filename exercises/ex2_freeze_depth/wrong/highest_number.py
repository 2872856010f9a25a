# One lucky number: the highest accuracy, as if it had no error.
# %% id="q2" verdict="wrong" points=0
def deepest(accuracies, pictures):
    return max(accuracies, key=accuracies.get)
