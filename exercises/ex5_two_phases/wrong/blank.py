# %% id="q1" verdict="not attempted" points=0
# later

# %% id="q2" verdict="wrong" points=0
def one_step(network, pictures, labels, rates):
    pass


# %% id="q3" verdict="not attempted" points=0
def two_phases(network, pictures, labels):
    """Not yet."""
    raise NotImplementedError()
