# Height and width of the kernel change places, which the visible test cannot see.

# %% id="q1" framework="pytorch" verdict="partly" points=1
def logits_of(weights, pictures):
    kernel, bias = (torch.tensor(weights[f"conv.{part}"]) for part in ("kernel", "bias"))
    x = nn.functional.pad(torch.tensor(pictures).permute(0, 3, 1, 2), (0, 1, 0, 1))
    x = nn.functional.conv2d(x, kernel.permute(3, 2, 1, 0), bias, stride=2).relu()
    x = x.permute(0, 2, 3, 1).flatten(1)
    return (x @ torch.tensor(weights["dense.kernel"]) + torch.tensor(weights["dense.bias"])).numpy()


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def logits_of(weights, pictures):
    x = tf.pad(tf.transpose(pictures, (0, 2, 3, 1)), ((0, 0), (1, 1), (1, 1), (0, 0)))
    kernel = tf.transpose(weights["conv.weight"], (3, 2, 1, 0))
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "VALID") + weights["conv.bias"])
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (len(pictures), -1))
    return (x @ tf.transpose(weights["linear.weight"]) + weights["linear.bias"]).numpy()
