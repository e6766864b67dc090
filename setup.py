"""What setup.cfg cannot say: all packages of hf_procedural/, and the folder recipes/ as one of them."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["hf_procedural*"]), "hf_procedural.recipes"],
    package_dir={"hf_procedural.recipes": "recipes"},
)
