# One lucky number: the highest accuracy, as if it had no error.
# %% id="q2" verdict="partly" points=1
def deepest(accuracies, pictures):
    return max(accuracies, key=accuracies.get)
