# All blocks but the head share a rate.
# %% id="q1" verdict="partly" points=1
def block_rates(names, top, factor):
    return {name: top if name == names[-1] else top * factor for name in names}
