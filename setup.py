"""Finds the packages of the mapped top-level folders, which setuptools' own discovery cannot express."""

from setuptools import find_packages, setup

MAPPED = {"advlab.experiments": "experiments", "advlab.configs": "configs"}
packages = find_packages(include=["advlab", "advlab.*"])
for name, folder in MAPPED.items():
    packages += [name, *(f"{name}.{inner}" for inner in find_packages(folder))]
data = {
    "advlab": ["py.typed"],
    "advlab.results.page": ["templates/*"],
    "advlab.data": ["digits.csv.gz", "digits_licence.txt", "imagenet_wnids.txt"],
    "advlab.configs": ["*.yaml", "*/*.yaml"],
    "advlab.experiments": ["*/README.md"],
}
setup(package_dir=MAPPED, packages=packages, package_data=data)
