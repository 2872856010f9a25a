# The stem is not frozen.

# %% id="q1" framework="pytorch" verdict="wrong" points=0
def fine_tune(family, weights, pictures, labels):
    tensors = {n: torch.tensor(value, requires_grad=True) for n, value in weights.items()}
    optimizer = torch.optim.Adam(tensors.values(), lr=0.02)
    labels = torch.tensor(labels).long()
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(family, tensors, pictures), labels).backward()
        optimizer.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


# %% id="q1" framework="tensorflow" verdict="wrong" points=0
def fine_tune(family, weights, pictures, labels):
    tensors = {name: tf.Variable(value) for name, value in weights.items()}
    learning = list(tensors.values())
    optimizer = tf.keras.optimizers.Adam(0.02)
    for _ in range(5):
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(
                labels, logits(family, tensors, pictures)
            )
            loss = tf.reduce_mean(each)
        optimizer.apply_gradients(zip(tape.gradient(loss, learning), learning))
    return {name: tensor.numpy() for name, tensor in tensors.items()}
