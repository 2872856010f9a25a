# %% id="q1" verdict="not attempted" points=0
def predict(network, pictures):
    """I shall do this tomorrow."""
    raise NotImplementedError()


# %% id="q2" verdict="not attempted" points=0
# nothing


# %% id="q3" verdict="wrong" points=0
def worst_mistakes(probabilities, truth, count):
    pass
