# %% id="q2" verdict="partly" points=1
def confusion(truth, predicted, classes):
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (predicted, truth), 1)
    return matrix
