# The layer of one's own framework with the other's numbers: momentum, epsilon, n - 1.

# %% id="q2" framework="pytorch" verdict="partly" points=1
def norm_step(features, mean, variance):
    norm = nn.BatchNorm1d(features.shape[1], momentum=0.9)
    norm.running_mean, norm.running_var = torch.tensor(mean), torch.tensor(variance)
    made = norm(torch.tensor(features)).detach()
    return {"features": made, "mean": norm.running_mean, "variance": norm.running_var}


# %% id="q2" framework="tensorflow" verdict="partly" points=1
def norm_step(features, mean, variance):
    norm = tf.keras.layers.BatchNormalization(momentum=0.1)
    norm.build(features.shape)
    norm.set_weights([np.ones_like(mean), np.zeros_like(mean), mean, variance])
    made = norm(features, training=True).numpy()
    now = [np.asarray(norm.moving_mean), np.asarray(norm.moving_variance)]
    return {"features": made, "mean": now[0], "variance": now[1]}
