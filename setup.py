"""What setup.cfg cannot say: the packages of hf_procedural/, the folder recipes/ as one of them, a module beside."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["hf_procedural*"]), "hf_procedural.recipes"],
    package_dir={"hf_procedural.recipes": "recipes"},
    py_modules=["hf_procedural_verifiers"],  # verifiers takes no name with dots
)
