# %% id="q3" verdict="partly" points=1
def worst_mistakes(probabilities, truth, count):
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    return wrong[np.argsort(probabilities.max(axis=1)[wrong])][:count]
