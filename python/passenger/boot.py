# The program that the agent starts for an application, by its path, with the control channel on descriptor 3. It makes
# the package importable as `passenger` in whichever interpreter this is, without adding the folder that it is installed
# in to the module path: what else is there is not the application's. Any Python must be able to read this file.
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))

if __name__ == "__main__":
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(FOLDER):
        del sys.path[0]
    if sys.version_info < (3, 7):
        import json

        reason = "Python %s (%s) is too old: Passenger needs 3.7" % (sys.version.split()[0], sys.executable)
        output = "Choose another interpreter for the application with --python.\n"
        message = {"message": "failed", "step": "starting Python", "reason": reason, "output": output}
        os.write(3, json.dumps(message).encode("utf-8"))
        sys.exit(1)

    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("passenger", FOLDER + "/__init__.py", submodule_search_locations=[FOLDER])
    if spec is None or spec.loader is None:
        sys.exit("passenger: the files of the Python package are not in " + FOLDER)
    sys.modules["passenger"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["passenger"])

    from passenger.process import run

    run()
