# frozen_string_literal: true

require_relative "harness/command"
require_relative "python_servers"
require_relative "ruby_servers"

module Bench
  # The servers whose restarts are compared: how each is started, and how it is told to restart the application.
  module RestartServers
    # +command+ starts it, +app+ is the folder of its hello world and +file+ the one that is deployed anew; +restart+ is
    # given the Server and the application's folder.
    Entry = Struct.new(:command, :app, :file, :restart, keyword_init: true)

    RUBY_FILE = "config.ru"
    PYTHON_FILE = "passenger_wsgi.py"

    OURS = lambda do |server, _dir|
      ours = RubyServers::OURS
      system(ours.environment, "ruby", "#{ROOT}/ruby/exe/passenger", "restart", "--no-wait",
             "--port", server.port.to_s, out: File::NULL, exception: true)
    end

    # Debian's Puma, which restarts in phases only when the master has not loaded the application.
    PUMA = Command.new(
      name: "puma",
      version: ["/usr/bin/puma", "--version"],
      arguments: lambda { |port:, **|
        ["/usr/bin/puma", "-C", "#{__dir__}/puma_phased.rb", "--quiet", "-e", "production", "-w", RubyServers::WORKERS,
         "-t", "1:1", "-b", "tcp://127.0.0.1:#{port}", RUBY_FILE]
      }
    )

    PASSENGER6 = lambda do |_server, dir|
      system("/usr/bin/passenger-config", "restart-app", dir, out: File::NULL, exception: true)
    end

    ALL = {
      "ours_ruby" => Entry.new(command: RubyServers::OURS, app: "hello", file: RUBY_FILE, restart: OURS),
      "ours_python" => Entry.new(command: PythonServers.new(workers: RubyServers::WORKERS).wsgi.fetch("ours"),
                                 app: "hello_wsgi", file: PYTHON_FILE, restart: OURS),
      "puma_phased" => Entry.new(command: PUMA, app: "hello", file: RUBY_FILE,
                                 restart: ->(server, _dir) { Process.kill("USR1", server.pid) }),
      "passenger6" => Entry.new(command: RubyServers::PASSENGER6, app: "hello", file: RUBY_FILE, restart: PASSENGER6)
    }.freeze
  end
end
