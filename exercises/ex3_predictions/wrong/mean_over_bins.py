# The gap is averaged over the bins, not over the pictures.
# %% id="q4" verdict="partly" points=1
def calibration(probabilities, truth, bins):
    confidence = probabilities.max(axis=1)
    right = (probabilities.argmax(axis=1) == truth).astype(float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    pictures = np.bincount(place, minlength=bins)
    each = np.maximum(pictures, 1)
    said = np.bincount(place, weights=confidence, minlength=bins) / each
    held = np.bincount(place, weights=right, minlength=bins) / each
    error = float(np.abs(said - held).mean())
    return {"pictures": pictures, "confidence": said, "accuracy": held, "error": error}
