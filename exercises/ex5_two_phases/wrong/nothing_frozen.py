# Blocks without a rate learn at a small one.
# %% id="q2" framework="pytorch" verdict="wrong" points=0
def one_step(network, pictures, labels, rates):
    model = build(network)
    groups = [{"params": model[name].parameters(), "lr": rates.get(name, 1e-3)} for name in BLOCKS]
    optimizer = torch.optim.SGD(groups)
    logits = model(torch.as_tensor(pictures))
    torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels)).backward()
    optimizer.step()
    return arrays_of(model)


# %% id="q2" framework="tensorflow" verdict="wrong" points=0
def one_step(network, pictures, labels, rates):
    model = build(network)
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(pictures))
        loss = tf.reduce_mean(losses)
    gradients = iter(tape.gradient(loss, model.trainable_variables))
    for name in BLOCKS:
        for variable in model.get_layer(name).trainable_variables:
            variable.assign_sub(rates.get(name, 1e-3) * next(gradients))
    return arrays_of(model)
