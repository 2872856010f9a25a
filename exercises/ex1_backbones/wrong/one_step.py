# Stops after the first step, so that all has moved and hardly anything is learnt.

# %% id="q1" framework="pytorch" verdict="partly" points=1
def fine_tune(family, weights, pictures, labels):
    tensors = {name: torch.tensor(value) for name, value in weights.items()}
    learning = [tensor for name, tensor in tensors.items() if not name.startswith("stem")]
    for tensor in learning:
        tensor.requires_grad = True
    optimizer = torch.optim.Adam(learning, lr=0.001)
    labels = torch.tensor(labels).long()
    nn.functional.cross_entropy(logits(family, tensors, pictures), labels).backward()
    optimizer.step()
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def fine_tune(family, weights, pictures, labels):
    tensors = {name: tf.Variable(value) for name, value in weights.items()}
    learning = [tensor for name, tensor in tensors.items() if not name.startswith("stem")]
    with tf.GradientTape() as tape:
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels, logits(family, tensors, pictures)
        )
        loss = tf.reduce_mean(each)
    gradients = tape.gradient(loss, learning)
    tf.keras.optimizers.Adam(0.001).apply_gradients(zip(gradients, learning))
    return {name: tensor.numpy() for name, tensor in tensors.items()}
