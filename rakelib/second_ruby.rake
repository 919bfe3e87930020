# frozen_string_literal: true

# Another Ruby than the machine's, and with it Rack 3: what is promised must hold there, too.
module SecondRuby
  HOME = File.join(Build::ROOT, "target/second-ruby")
  RUBY = File.join(HOME, "usr/bin/ruby")
  BUILD = { "RUBY" => RUBY, "CARGO_TARGET_DIR" => File.join(HOME, "cargo") }.freeze
  # What script/second-ruby exits with when there is no such Ruby to be had here.
  UNAVAILABLE = 69
  # Those in which a Ruby process has a part. They need no gem but Rack.
  SCENARIOS = %w[
    second_ruby ending hooks http_semantics pool rack3 rack_bodies rack_env rack_errors rack_hijack response_bodies
    restart spawning surroundings uploads
  ].freeze

  def self.environment
    extension = File.join(BUILD["CARGO_TARGET_DIR"], "debug/libpassenger_ruby.so")
    { **Build.environment("debug"), "PASSENGER_RUBY" => RUBY, "PASSENGER_RUBY_EXT" => extension }
  end
end

desc "Get another Ruby into target/second-ruby, and build the extension for it"
task second_ruby: :version do
  sh "script/second-ruby" do |ok, status|
    next sh(SecondRuby::BUILD, "cargo", "build", "-p", "passenger-ruby") if ok
    raise "script/second-ruby failed" unless status.exitstatus == SecondRuby::UNAVAILABLE

    puts "SKIPPED: all tests with another Ruby"
  end
end

namespace :test do
  desc "The gem's Ruby suite, and scenarios, with another Ruby and Rack 3"
  task second_ruby: %w[build rake:second_ruby] do
    next unless File.exist?(SecondRuby::RUBY)

    suite = { **SecondRuby.environment, "MT_NO_PLUGINS" => "1" }
    sh suite, SecondRuby::RUBY, "-w", "ruby/test/run.rb"
    scenarios = SecondRuby::SCENARIOS.flat_map { |name| ["--test", name] }
    sh SecondRuby.environment, "cargo", "test", "--no-fail-fast", "-p", "passenger-tests", *scenarios
  end
end
