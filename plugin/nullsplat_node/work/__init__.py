# SPDX-License-Identifier: AGPL-3.0-or-later
"""The part that acts: one thread, its steps, and the audit log."""
