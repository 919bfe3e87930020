# frozen_string_literal: true

module Bench
  # The repository.
  ROOT = File.expand_path("../..", __dir__)
  # Where `rake build:release` puts what is ours.
  RELEASE = File.join(ENV.fetch("CARGO_TARGET_DIR", "#{ROOT}/target"), "release").freeze

  # How one server is started. +arguments+ is a lambda of dir:, port: and scratch: (a directory of its own), and the
  # command runs in +dir+; +version+ prints the version on its first line.
  Command = Struct.new(:name, :version, :environment, :arguments, keyword_init: true) do
    def initialize(environment: {}, **) = super

    # First line of the version command's output.
    def version_line
      IO.popen(environment, version, err: %i[child out], &:gets).to_s.strip
    end

    # The settings as run, for the record: with paths relative to the repository.
    def to_s
      arguments.call(dir: "APP", port: "PORT", scratch: "DIR").join(" ").gsub("#{ROOT}/", "")
    end
  end
end
