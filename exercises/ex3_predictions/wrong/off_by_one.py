# %% id="q2" verdict="partly" points=1
def confusion(truth, predicted, classes):
    side = max(truth.max(), predicted.max()) + 1
    matrix = np.zeros((side, side), int)
    np.add.at(matrix, (truth, predicted), 1)
    return matrix


# %% id="q3" verdict="wrong" points=0
def worst_mistakes(probabilities, truth, count):
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    return wrong[np.argsort(-probabilities.max(axis=1)[wrong])][: count - 1]


# %% id="q4" verdict="crashed" points=0
def calibration(probabilities, truth, bins):
    # Confidence 1 falls into a bin behind the last one.
    counted = np.zeros(bins)
    for confidence in probabilities.max(axis=1):
        counted[int(confidence * bins)] += 1
    return {"pictures": counted, "confidence": counted, "accuracy": counted, "error": 0.0}
