"""What keeps a student's code from doing harm: limits, Landlock, seccomp, bubblewrap."""
