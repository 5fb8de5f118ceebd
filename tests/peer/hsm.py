"""A PKCS#11 token as the tests have one: SoftHSM2 in a folder of its own, looked at with OpenSC's pkcs11-tool."""
import os
import subprocess

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
SO_PIN = "87654321"


class Token:
    def __init__(self, where, label="merlon", pin="135790"):
        self.label, self.pin = label, pin
        os.makedirs(os.path.join(where, "tokens"))
        conf = os.path.join(where, "softhsm2.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"directories.tokendir = {where}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.env = {"SOFTHSM2_CONF": conf}
        self.pin_file = os.path.join(where, "token.pin")
        self.write_pin(pin)
        self._run("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", pin)

    def _run(self, *command):
        done = subprocess.run(command, env={**os.environ, **self.env}, capture_output=True, text=True, timeout=30,
                              check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def write_pin(self, pin, mode=0o400):
        if os.path.exists(self.pin_file):
            os.unlink(self.pin_file)
        with open(self.pin_file, "w", encoding="ascii") as f:
            f.write(pin + "\n")
        os.chmod(self.pin_file, mode)

    def uri(self, name="master"):
        return f"pkcs11:token={self.label};object={name}?module-path={MODULE}&pin-source={self.pin_file}"

    def tool(self, *args):
        return self._run("pkcs11-tool", "--module", MODULE, "--token-label", self.label, *args)

    def keys(self):
        """What its AES keys are, as OpenSC prints them."""
        text = self.tool("--login", "--pin", self.pin, "--list-objects", "--type", "secrkey")
        return [part for part in text.split("Secret Key Object;")[1:]]

    def reset_pin(self, pin):
        """The security officer's way: the token knows another PIN from now on."""
        self.tool("--login", "--login-type", "so", "--so-pin", SO_PIN, "--init-pin", "--new-pin", pin)
        self.pin = pin
