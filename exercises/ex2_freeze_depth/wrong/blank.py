# %% id="q1" verdict="wrong" points=0
def train_at_depth(network, pictures, labels, depth):
    pass


# %% id="q2" verdict="not attempted" points=0
def deepest(accuracies, pictures):
    """Not yet."""
    raise NotImplementedError()


# %% id="q3" verdict="wrong" points=0
guess, records, found = 0, [], {}


# %% id="q4" verdict="wrong" points=0
near_guess, near_records, near_found = 0, [], {}
