# SPDX-License-Identifier: AGPL-3.0-or-later
"""Access control: who may do what, and from where."""
