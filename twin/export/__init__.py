"""Persons of a population and their courses, written as others write them: every row says that it is synthetic."""
