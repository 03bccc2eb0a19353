"""Seeded bugs: each is put into a copy of the tree, where the tests that guard against it must fail.

python -m tests.mutants [name …]
"""
