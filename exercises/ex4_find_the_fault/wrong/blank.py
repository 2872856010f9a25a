# An empty cell, and functions that do nothing.

# %% id="q1" verdict="not attempted" points=0

# %% id="q5" verdict="wrong" points=0
q5_fault = {"line": 0, "name": ""}


def cross_entropy(logits, labels):
    pass


# %% id="q6" verdict="wrong" points=0
q6_fault = {"line": 0, "name": ""}


def accuracies(history, batches, validation):
    pass
