#!/bin/sh
# Replaces gsplat, whose wheel compiles its CUDA kernels at first use, by one that has them compiled.
#
# The compiler comes from PyPI, in the version that the installed torch was built with, and goes again afterwards: the
# image needs neither it nor NVIDIA's own base images. Wants g++, Python's headers, MAX_JOBS and TORCH_CUDA_ARCH_LIST.
set -eu

installed() { python -c 'import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))' "$1"; }

pip install "cuda-toolkit[nvcc,cccl,cudart]==$(installed cuda-toolkit)" wheel
CUDA_HOME=$(python -c 'import nvidia, pathlib; print(next(pathlib.Path(nvidia.__path__[0]).glob("cu[0-9]*")))')
export CUDA_HOME
# PyPI's packages have neither the folder nor the file names that a linker looks for.
[ -e "$CUDA_HOME/lib64" ] || ln -s lib "$CUDA_HOME/lib64"
[ -e "$CUDA_HOME/lib/libcudart.so" ] || ln -s "$(basename "$CUDA_HOME"/lib/libcudart.so.*)" "$CUDA_HOME/lib/libcudart.so"

pip install --no-build-isolation --no-deps --force-reinstall --no-binary gsplat "gsplat==$(installed gsplat)"
pip uninstall --yes nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-cccl wheel
rm "$CUDA_HOME/lib64" "$CUDA_HOME/lib/libcudart.so"
python -c 'import gsplat.csrc'
