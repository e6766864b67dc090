"""What setup.cfg cannot say: the packages of hf_procedural/, recipes/ and studies/ among them, a module beside."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["hf_procedural*"]), "hf_procedural.recipes", "hf_procedural.recipes.studies"],
    package_dir={"hf_procedural.recipes": "recipes", "hf_procedural.recipes.studies": "studies"},
    py_modules=["hf_procedural_verifiers"],  # verifiers takes no name with dots
)
