"""What people read of a grading: tables, feedback for students, a summary for the teacher."""
