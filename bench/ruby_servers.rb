# frozen_string_literal: true

require_relative "harness/command"
require_relative "harness/settings"

module Bench
  # The Ruby servers that are compared, each in its best setting: production, no request log, two processes, the app
  # loaded before the fork. A wait queue longer than the number of clients, so that none is turned away.
  module RubyServers
    WORKERS = Settings::WORKERS.to_s

    OURS = Command.new(
      name: "ours",
      version: ["ruby", "#{ROOT}/ruby/exe/passenger", "version"],
      environment: { "PASSENGER_AGENT" => "#{RELEASE}/passenger-agent", "PASSENGER_USER_SWITCHING" => "false" },
      arguments: lambda { |dir:, port:, **|
        ["ruby", "#{ROOT}/ruby/exe/passenger", "start", dir, "-e", "production", "-a", "127.0.0.1", "-p", port.to_s,
         "--max-pool-size", WORKERS, "--min-instances", WORKERS, "--max-request-queue-size", "1024",
         "--log-level", "error"]
      }
    )

    # Puma, with as many requests in the application at a time as the others have, or with its own default of threads,
    # which is its best setting here.
    puma = lambda do |name, threads|
      Command.new(
        name:,
        version: ["/usr/bin/puma", "--version"],
        arguments: lambda { |port:, **|
          ["/usr/bin/puma", "--no-config", "--quiet", "-e", "production", "-w", WORKERS, "-t", threads, "--preload",
           "-b", "tcp://127.0.0.1:#{port}", "config.ru"]
        }
      )
    end
    PUMA = puma.call("puma", "1:1")
    PUMA_THREADS = puma.call("puma_threads", "0:16")

    # Closes the connection after each answer: it is made to stand behind a reverse proxy.
    UNICORN = Command.new(
      name: "unicorn",
      version: ["/usr/bin/unicorn", "--version"],
      arguments: lambda { |port:, **|
        ["/usr/bin/unicorn", "-E", "production", "-N", "-l", "127.0.0.1:#{port}", "-c", "#{__dir__}/unicorn.conf.rb"]
      }
    )

    # Debian's package. The builtin engine is its core without an Nginx in front; daemonized, so that its command line
    # tool does not count into its memory.
    PASSENGER6 = Command.new(
      name: "passenger6",
      version: ["/usr/bin/passenger", "--version"],
      arguments: lambda { |dir:, port:, scratch:|
        ["/usr/bin/passenger", "start", dir, "--engine", "builtin", "--daemonize", "-e", "production",
         "-a", "127.0.0.1", "-p", port.to_s, "--pid-file", "#{scratch}/pid", "--log-file", "#{scratch}/log",
         "--max-pool-size", WORKERS, "--min-instances", WORKERS, "--max-request-queue-size", "1024",
         "--log-level", "1", "--disable-security-update-check", "--disable-anonymous-telemetry"]
      }
    )

    ALL = [OURS, PUMA, PUMA_THREADS, UNICORN, PASSENGER6].to_h { |command| [command.name, command] }.freeze
  end
end
