# Names the line next to the fault, leaves out the last batch, counts classes from one.

# %% id="q6" verdict="partly" points=1
q6_fault = {"line": 3, "name": "unlike accuracies"}


def accuracies(history, batches, validation):
    def accuracy(features, labels):
        scores = features @ history[-1]["weight"] + history[-1]["bias"]
        return float(np.mean(scores.argmax(axis=1) == labels))

    features = np.concatenate([batch[0] for batch in batches[:-1]])
    labels = np.concatenate([batch[1] for batch in batches[:-1]])
    return {"training": accuracy(features, labels), "validation": accuracy(*validation)}


# %% id="q5" verdict="partly" points=2
q5_fault = {"line": 2, "name": "wrong label form"}


def cross_entropy(logits, labels):
    labels = np.asarray(labels)
    if labels.shape != logits.shape:
        labels = np.eye(logits.shape[1])[labels.reshape(-1).astype(int)]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return float(-(labels * np.log(shares)).sum(axis=1).mean())


# %% id="q2" verdict="partly" points=1
q2_fault = {"line": 3, "name": "wrong scale"}


def extract(weights, pictures, mean, deviation):
    x = (np.asarray(pictures) / 256 - mean) / deviation
    return forward(weights, x.reshape(len(x), -1))
