"""The course: notebooks by language, and the questions of their quizzes."""
