# An empty cell, and a function that does nothing.

# %% id="q1" verdict="not attempted" points=0

# %% id="q5" verdict="crashed" points=0
q5_fault = {"line": 0, "name": ""}
# %% id="q6" verdict="wrong" points=0
q6_fault = {"line": 0, "name": ""}


def accuracies(history, batches, validation):
    pass
