# frozen_string_literal: true

require_relative "process_test_case"

class ActiveRecordTest < ProcessTestCase
  CONFIG_RU = <<~RUBY
    require "active_record"
    ActiveRecord::Base.establish_connection(adapter: "sqlite3", database: File.expand_path("test.db", __dir__))
    ActiveRecord::Base.connection.create_table(:posts) { |t| t.string :title }
    class Post < ActiveRecord::Base; end
    Post.create!(title: "from the preloader")
    Passenger.on(:before_fork) { warn "connected: \#{ActiveRecord::Base.connection_pool.connected?}" }
    run(lambda do |_|
      Post.create!(title: "from a worker")
      [200, {}, [Post.count.to_s]]
    end)
  RUBY

  def test_workers_have_connections_of_their_own
    libraries = "require 'active_record'; require 'sqlite3'"
    skip "no ActiveRecord with SQLite here" unless system(Child::RUBY, "-e", libraries, err: File::NULL)
    app("config.ru" => CONFIG_RU)
    child = ready_preloader
    counts = Array.new(2) { spawn(child).slots.first.exchange.last.body }

    assert_equal %w[2 3], counts
    child.stop
    assert_equal "connected: false\n" * 2, child.output.read.lines.grep(/connected/).join
  end
end
