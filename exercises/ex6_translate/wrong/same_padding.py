# Takes the two frameworks' paddings for one.

# %% id="q1" framework="pytorch" verdict="wrong" points=0
def logits_of(weights, pictures):
    kernel, bias = (torch.tensor(weights[f"conv.{part}"]) for part in ("kernel", "bias"))
    x = torch.tensor(pictures).permute(0, 3, 1, 2)
    x = nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride=2, padding=1).relu()
    x = x.permute(0, 2, 3, 1).flatten(1)
    return (x @ torch.tensor(weights["dense.kernel"]) + torch.tensor(weights["dense.bias"])).numpy()


# %% id="q1" framework="tensorflow" verdict="wrong" points=0
def logits_of(weights, pictures):
    x = tf.transpose(pictures, (0, 2, 3, 1))
    kernel = tf.transpose(weights["conv.weight"], (2, 3, 1, 0))
    x = tf.nn.relu(tf.nn.conv2d(x, kernel, 2, "SAME") + weights["conv.bias"])
    x = tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (len(pictures), -1))
    return (x @ tf.transpose(weights["linear.weight"]) + weights["linear.bias"]).numpy()
