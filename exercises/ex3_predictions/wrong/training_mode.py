# Dropout draws, and batch norm looks at the batch.
# %% id="q1" framework="pytorch" verdict="partly" points=1
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    p = torch.softmax(build(network)(torch.as_tensor(scaled.reshape(len(pictures), -1))), dim=1)
    return {"probabilities": p, "labels": p.argmax(dim=1)}


# %% id="q1" framework="tensorflow" verdict="partly" points=1
def predict(network, pictures):
    scaled = (pictures.astype(np.float32) / 255 - network["pixel_mean"]) / network["pixel_std"]
    logits = build(network)(scaled.reshape(len(pictures), -1), training=True)
    p = tf.nn.softmax(logits).numpy()
    return {"probabilities": p, "labels": p.argmax(axis=1)}
