# Repaired rightly, under a name that is another fault's.

# %% id="q6" verdict="partly" points=2
q6_fault = {"line": 4, "name": "leaked validation"}


def accuracies(history, batches, validation):
    def accuracy(features, labels):
        scores = features @ history[-1]["weight"] + history[-1]["bias"]
        return float(np.mean(scores.argmax(axis=1) == labels))

    features = np.concatenate([batch[0] for batch in batches])
    labels = np.concatenate([batch[1] for batch in batches])
    return {"training": accuracy(features, labels), "validation": accuracy(*validation)}
