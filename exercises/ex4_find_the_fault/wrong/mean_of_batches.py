# The last head on each batch, but a mean over batches of different sizes.

# %% id="q6" verdict="partly" points=2
q6_fault = {"line": 4, "name": "unlike accuracies"}


def accuracies(history, batches, validation):
    def accuracy(features, labels):
        scores = features @ history[-1]["weight"] + history[-1]["bias"]
        return float(np.mean(scores.argmax(axis=1) == labels))

    seen = [accuracy(*batch) for batch in batches]
    return {"training": float(np.mean(seen)), "validation": accuracy(*validation)}
