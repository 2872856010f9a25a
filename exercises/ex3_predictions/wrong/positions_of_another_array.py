# argsort's positions are taken for the pictures' numbers.
# %% id="q3" verdict="wrong" points=0
def worst_mistakes(probabilities, truth, count):
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    return np.argsort(-probabilities.max(axis=1)[wrong])[:count]
