"""Terraform's AWS provider makes functions with versions, an alias, a permission and settings for events, plans them again to nothing,
changes them, and destroys them."""

import io
import json
import pathlib
import shutil
import unittest
import zipfile

import judge_terraform

CODE = "exports.handler = async () => ({ stage: process.env.STAGE });"


class Function(judge_terraform.Configuration):
    def setUp(self):
        super().setUp()
        shutil.copy(pathlib.Path(__file__).parent / "terraform/function/main.tf", self.folder)
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w") as made:
            made.writestr("index.js", CODE)
        (self.folder / "code.zip").write_bytes(held.getvalue())
        self.environment["TF_VAR_zip"] = str(self.folder / "code.zip")

    def test_it_applies_plans_to_nothing_and_is_destroyed(self):
        self.run_terraform("init", f"-plugin-dir={self.plugins}")
        self.run_terraform("apply", "-auto-approve")
        self.run_terraform("plan", "-detailed-exitcode")
        alias = json.loads(self.run_terraform("output", "-json"))["alias"]["value"]
        functions = self.server.client("lambda", self.admin)
        answer = functions.invoke(FunctionName=alias)
        self.assertEqual((answer["ExecutedVersion"], json.loads(answer["Payload"].read())), ("1", {"stage": "test"}))
        # A change is made in place, and then there is nothing to do again.
        self.run_terraform("apply", "-auto-approve", "-var=timeout=9")
        self.run_terraform("plan", "-detailed-exitcode", "-var=timeout=9")
        shown = functions.get_function_configuration(FunctionName=alias)
        self.assertEqual((shown["Version"], shown["Timeout"]), ("2", 9))
        self.run_terraform("destroy", "-auto-approve", "-var=timeout=9")
        self.assertEqual(functions.list_functions()["Functions"], [])


if __name__ == "__main__":
    unittest.main()
