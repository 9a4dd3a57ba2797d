"""The three loops that stage 2 spends its time in, each as `ref` (defines the answer), `cpu` and `cuda`."""
