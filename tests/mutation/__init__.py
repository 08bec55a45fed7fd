"""Mutation of the roles: each task is deleted or altered in turn, and some proof must fail. Run: python -m tests.mutation"""
