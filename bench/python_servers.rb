# frozen_string_literal: true

require_relative "harness/command"

module Bench
  # The Python servers that are compared, each in its best setting: no request log, equal workers, a backlog longer than
  # the number of clients. Peers are in a virtual environment that `rake bench:python` makes.
  class PythonServers
    VENV = "#{ROOT}/target/bench-python".freeze
    PYTHON = "#{VENV}/bin/python".freeze

    # What our server of a checkout is told; as the `passenger` command of an installed package it needs none of it.
    OUR_ENVIRONMENT = {
      "PASSENGER_AGENT" => "#{RELEASE}/passenger-agent",
      "PASSENGER_PYTHON_LIBDIR" => "#{ROOT}/python",
      "PASSENGER_PYTHON_EXT" => "#{RELEASE}/lib_native.so",
      "PASSENGER_USER_SWITCHING" => "false"
    }.freeze

    WSGI = "passenger_wsgi:application"
    ASGI = "passenger_asgi:application"

    # Of the interpreter that runs all of them.
    def self.python_version = IO.popen([PYTHON, "--version"], &:read).split.last

    def initialize(workers:)
      @workers = workers.to_s
    end

    # { name => Command } of those that serve `passenger_wsgi.py`.
    def wsgi = named(ours, *granian_wsgi, gunicorn("gunicorn"), uwsgi, bjoern, passenger6)

    # Of those that serve `passenger_asgi.py`.
    def asgi = named(ours, granian_asgi("--no-ws"), uvicorn, hypercorn)

    # Of those that serve it to WebSocket clients.
    def websocket = named(ours, granian_asgi("--ws"), uvicorn, hypercorn)

    # As #wsgi, and Gunicorn in the one setting in which it shares memory.
    def memory = { **wsgi, **named(gunicorn("gunicorn_preload", "--preload")) }

    private

    def named(*commands) = commands.to_h { |command| [command.name, command] }

    # +package+ is what it is called on PyPI.
    def peer(name, package, &arguments)
      version = "from importlib.metadata import version; print('#{package}', version('#{package}'))"
      Command.new(name:, version: [PYTHON, "-c", version], arguments:)
    end

    def ours
      Command.new(
        name: "ours",
        version: ["ruby", "#{ROOT}/ruby/exe/passenger", "version"],
        environment: OUR_ENVIRONMENT,
        arguments: lambda { |dir:, port:, **|
          ["ruby", "#{ROOT}/ruby/exe/passenger", "start", dir, "--python", PYTHON, "-e", "production",
           "-a", "127.0.0.1", "-p", port.to_s, "--max-pool-size", @workers, "--min-instances", @workers,
           "--max-request-queue-size", "1024", "--log-level", "error"]
        }
      )
    end

    # With one thread for the application, which takes the least processor, and with as many as it likes, which
    # answers more of some numbers of clients.
    def granian_wsgi
      [granian("granian", WSGI, "--interface", "wsgi", "--no-ws", "--blocking-threads", "1"),
       granian("granian_threads", WSGI, "--interface", "wsgi", "--no-ws")]
    end

    def granian_asgi(websockets)
      granian("granian", ASGI, "--interface", "asgi", websockets, "--loop", "uvloop")
    end

    def granian(name, app, *options)
      peer(name, "granian") do |port:, **|
        ["#{VENV}/bin/granian", *options, "--http", "1", "--workers", @workers, "--port", port.to_s,
         "--backlog", "2048", "--log-level", "error", app]
      end
    end

    # Four threads bring more than one: while one waits for the interpreter, another writes.
    def gunicorn(name, *options)
      peer(name, "gunicorn") do |port:, **|
        ["#{VENV}/bin/gunicorn", "--worker-class", "gthread", "--threads", "4", "--workers", @workers, *options,
         "--bind", "127.0.0.1:#{port}", "--no-control-socket", "--log-level", "error", WSGI]
      end
    end

    # Closes the connection after each answer, and has to be told to say so. Of its ways to keep connections, one takes
    # a third process and three times the processor, the other serves no more clients than there are workers.
    def uwsgi
      peer("uwsgi", "uWSGI") do |port:, **|
        ["#{VENV}/bin/uwsgi", "--http-socket", "127.0.0.1:#{port}", "--add-header", "Connection: close", "--master",
         "--processes", @workers, "--listen", "1024", "--need-app", "--die-on-term", "--disable-logging",
         "--wsgi-file", "passenger_wsgi.py"]
      end
    end

    def bjoern
      peer("bjoern", "bjoern") { |port:, **| [PYTHON, "#{__dir__}/bjoern_server.py", port.to_s, @workers] }
    end

    def uvicorn
      peer("uvicorn", "uvicorn") do |port:, **|
        ["#{VENV}/bin/uvicorn", "--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio",
         "--workers", @workers, "--port", port.to_s, "--no-access-log", "--log-level", "error", ASGI]
      end
    end

    def hypercorn
      peer("hypercorn", "hypercorn") do |port:, **|
        ["#{VENV}/bin/hypercorn", "--worker-class", "uvloop", "--workers", @workers, "--bind", "127.0.0.1:#{port}",
         "--backlog", "2048", "--log-level", "error", ASGI]
      end
    end

    # Debian's package, which serves WSGI; see ruby_servers.rb.
    def passenger6
      Command.new(
        name: "passenger6",
        version: ["/usr/bin/passenger", "--version"],
        arguments: lambda { |dir:, port:, scratch:|
          ["/usr/bin/passenger", "start", dir, "--engine", "builtin", "--daemonize", "-e", "production",
           "--app-type", "wsgi", "--startup-file", "passenger_wsgi.py", "--python", PYTHON,
           "-a", "127.0.0.1", "-p", port.to_s, "--pid-file", "#{scratch}/pid", "--log-file", "#{scratch}/log",
           "--max-pool-size", @workers, "--min-instances", @workers, "--max-request-queue-size", "1024",
           "--log-level", "1", "--disable-security-update-check", "--disable-anonymous-telemetry"]
        }
      )
    end
  end
end
