# The sum over the pictures in place of their mean.
# %% id="q2" framework="pytorch" verdict="partly" points=1
def one_step(network, pictures, labels, rates):
    model = build(network)
    groups = [{"params": model[name].parameters(), "lr": rate} for name, rate in rates.items()]
    optimizer = torch.optim.SGD(groups)
    logits, y = model(torch.as_tensor(pictures)), torch.as_tensor(labels)
    torch.nn.functional.cross_entropy(logits, y, reduction="sum").backward()
    optimizer.step()
    return arrays_of(model)


# %% id="q2" framework="tensorflow" verdict="partly" points=1
def one_step(network, pictures, labels, rates):
    model = build(network)
    chosen = [(r, v) for n, r in rates.items() for v in model.get_layer(n).trainable_variables]
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(pictures))
        loss = tf.reduce_sum(losses)
    for (rate, variable), gradient in zip(chosen, tape.gradient(loss, [v for _, v in chosen])):
        variable.assign_sub(rate * gradient)
    return arrays_of(model)
