# An empty cell, and a function that does nothing.

# %% id="q1" verdict="not attempted" points=0

# %% id="q2" verdict="wrong" points=0
def norm_step(features, mean, variance):
    pass


# %% id="q3" verdict="not attempted" points=0
def train(weight, bias, batches):
    raise NotImplementedError
