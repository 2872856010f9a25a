# The fastest block is the one at the input.
# %% id="q1" verdict="wrong" points=0
def block_rates(names, top, factor):
    return {name: top * factor**power for power, name in enumerate(names)}
