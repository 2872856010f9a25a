# %% id="q2" framework="pytorch" verdict="partly" points=1
def one_step(network, pictures, labels, rates):
    model = build(network)
    chosen = [p for name in rates for p in model[name].parameters()]
    optimizer = torch.optim.SGD(chosen, lr=max(rates.values()))
    logits = model(torch.as_tensor(pictures))
    torch.nn.functional.cross_entropy(logits, torch.as_tensor(labels)).backward()
    optimizer.step()
    return arrays_of(model)


# %% id="q2" framework="tensorflow" verdict="partly" points=1
def one_step(network, pictures, labels, rates):
    model = build(network)
    chosen = [v for name in rates for v in model.get_layer(name).trainable_variables]
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(pictures))
        loss = tf.reduce_mean(losses)
    for variable, gradient in zip(chosen, tape.gradient(loss, chosen)):
        variable.assign_sub(max(rates.values()) * gradient)
    return arrays_of(model)
