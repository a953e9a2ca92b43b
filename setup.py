"""The C extension; all else stands in pyproject.toml."""

from glob import glob

from setuptools import Extension, setup

NATIVE = "wc/counts/native"

setup(
    ext_modules=[
        Extension(
            "wc.counts._kernel",
            [f"{NATIVE}/_kernel.c"],
            include_dirs=[NATIVE],
            depends=glob(f"{NATIVE}/**/*.h", recursive=True),
            # One build for Python 3.11 and all later ones.
            py_limited_api=True,
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            extra_compile_args=["-std=c11", "-O3", "-fvisibility=hidden"],
            optional=True,
        )
    ]
)
