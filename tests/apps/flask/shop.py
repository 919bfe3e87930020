"""Routes, parameters, sessions, a template, uploads, streams and files: the parts of Flask that rely on the server."""

from flask import Flask, Response, abort, redirect, render_template_string, request, send_file, session, url_for


def create_app():
    app = Flask(__name__)
    app.secret_key = "not a secret, this is a fixture"

    @app.get("/")
    def index():
        return render_template_string("<h1>Hello from Flask</h1><p>{{ request.url }}</p>")

    @app.get("/greet/<name>")
    def greet(name):
        return f"Hello {name}, {request.args['greeting']}"

    @app.post("/visits")
    def visit():
        session["visits"] = session.get("visits", 0) + int(request.form.get("by", "1"))
        return redirect(url_for("visits"), 303)

    @app.get("/visits")
    def visits():
        return f"visits: {session.get('visits', 0)}"

    @app.post("/upload")
    def upload():
        file = request.files["file"]
        return f"{file.filename}: {len(file.read())} bytes"

    @app.post("/json")
    def reverse():
        return {"reversed": request.get_json()["list"][::-1]}

    @app.get("/stream")
    def stream():
        return Response((line for line in ["first\n", "second\n"]), mimetype="text/plain")

    @app.get("/file")
    def file():
        return send_file("static/style.css", conditional=True)

    @app.get("/halt")
    def halt():
        abort(418)

    @app.get("/broken")
    def broken():
        raise RuntimeError("Flask is broken")

    return app
