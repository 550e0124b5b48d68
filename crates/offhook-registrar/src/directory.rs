//! The users of this server and their numbers: `regfile.conf`.
//!
//! ```text
//! [general]
//! auth=100                    ; read and ignored, as is register=
//! route=100                   ; rules of regexroute.conf up to this priority come first; 0: no calls to users
//! autocreate=no               ; yes: whoever registers is a user, without a password
//!
//! [sunny]
//! password=870212
//! alternatives=100,101        ; numbers that ring this user
//! callername=Sunny            ; any other key is a parameter of the user's calls
//!
//! [rainy]
//! ha1=SHA-256:7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232
//! ```

use std::collections::HashMap;

use offhook_auth::{Algorithm, Ha1, HashFunction, Secret};
use offhook_routing::conf::{Entry, Section};
use offhook_routing::{Conf, ConfError, without_effect};

/// The priority of whoever names none, in Yate and here.
const USUAL_PRIORITY: i64 = 100;

/// How to read a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryOptions {
    /// The realm of an `ha1=` that names none: the one that the server challenges for.
    pub realm: String,
    /// Lets `password=` without a value stand for "any password is good", as Yate reads it. Without this it is an
    /// error: more often it is a line that somebody meant to fill in.
    pub allow_empty_passwords: bool,
}

/// One user.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    secret: Option<Secret>,
    alternatives: Vec<String>,
    parameters: Vec<(String, String)>,
}

impl User {
    /// The name that he logs in with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What proves him; `None` for a user who can be called but cannot log in.
    #[must_use]
    pub const fn secret(&self) -> Option<&Secret> {
        self.secret.as_ref()
    }

    /// His further numbers.
    #[must_use]
    pub fn alternatives(&self) -> &[String] {
        &self.alternatives
    }

    /// What is added to the parameters of a call that he makes: key and value, in the order of the file.
    #[must_use]
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters
    }
}

/// All users, found by name and by number at a cost that does not grow with their count.
///
/// ```
/// use offhook_registrar::{Directory, DirectoryOptions};
/// use offhook_routing::Conf;
///
/// let conf = Conf::parse("regfile.conf", "[sunny]\npassword=870212\nalternatives=100\n")?;
/// let options = DirectoryOptions { realm: "offhook".into(), allow_empty_passwords: false };
/// let directory = Directory::load(&conf, &options)?;
/// assert!(directory.user("sunny").is_some_and(|user| user.secret().is_some()));
/// assert_eq!(directory.users_of_number("100").next().map(|user| user.name()), Some("sunny"));
/// # Ok::<(), offhook_routing::ConfError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Directory {
    users: Vec<User>,
    by_name: HashMap<String, usize>,
    by_number: HashMap<String, Vec<usize>>,
    autocreate: bool,
    route: i64,
    file: Option<String>,
}

impl Default for Directory {
    /// Nobody, at Yate's usual priority.
    fn default() -> Self {
        Self {
            users: Vec::new(),
            by_name: HashMap::new(),
            by_number: HashMap::new(),
            autocreate: false,
            route: USUAL_PRIORITY,
            file: None,
        }
    }
}

impl Directory {
    /// Reads the users out of `regfile.conf`.
    ///
    /// # Errors
    /// File and line of the first value that cannot be used: an empty password, a hash that is none, a password
    /// given twice, a key of `[general]` that has no meaning here.
    pub fn load(conf: &Conf, options: &DirectoryOptions) -> Result<Self, ConfError> {
        let mut directory = Self::default();
        for section in conf.sections() {
            if section.name() == "general" {
                directory.read_general(section)?;
            } else {
                directory.add(read_user(section, options)?);
            }
        }
        Ok(directory)
    }

    /// The user of this name, case and all.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&User> {
        self.by_name
            .get(name)
            .and_then(|&index| self.users.get(index))
    }

    /// Who is rung by this number: the user of that name and everyone who has it among his alternatives, in the order
    /// of the file.
    pub fn users_of_number(&self, number: &str) -> impl Iterator<Item = &User> {
        self.by_number
            .get(number)
            .into_iter()
            .flatten()
            .filter_map(|&index| self.users.get(index))
    }

    /// All users in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.iter()
    }

    /// Whether a name that is not in the directory may register, and so become a user until the registration ends.
    #[must_use]
    pub const fn autocreate(&self) -> bool {
        self.autocreate
    }

    /// Where the users stand among the rules of `regexroute.conf` (`route=` of `[general]`): rules of the
    /// same or a lower number speak before them, others after. `None` (`route=0`): nobody is called by a
    /// number of this file.
    #[must_use]
    pub fn route_priority(&self) -> Option<u32> {
        u32::try_from(self.route)
            .ok()
            .filter(|priority| *priority > 0)
    }

    /// Where the file asks registrations to be kept (`file=` of `[general]`).
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    fn read_general(&mut self, section: &Section) -> Result<(), ConfError> {
        for entry in section.entries() {
            match entry.key() {
                "auth" | "register" => _ = entry.parse::<i64>()?,
                "route" => self.route = entry.parse()?,
                "autocreate" => self.autocreate = entry.as_bool()?,
                "file" => {
                    self.file = Some(entry.value().to_owned()).filter(|file| !file.is_empty());
                }
                key => {
                    return Err(entry.error(format!(
                        "`{key}` has no meaning in [general]: known are auth, register, route, autocreate and file"
                    )));
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, user: User) {
        let index = self.users.len();
        self.by_name.insert(user.name.clone(), index);
        for number in core::iter::once(&user.name).chain(&user.alternatives) {
            let users = self.by_number.entry(number.clone()).or_default();
            if users.last() != Some(&index) {
                users.push(index);
            }
        }
        self.users.push(user);
    }
}

fn read_user(section: &Section, options: &DirectoryOptions) -> Result<User, ConfError> {
    let mut user = User {
        name: section.name().to_owned(),
        secret: None,
        alternatives: Vec::new(),
        parameters: Vec::new(),
    };
    for entry in section.entries() {
        match entry.key() {
            "password" => user.set_password(entry, options)?,
            "ha1" => user.add_ha1(entry, options)?,
            "alternatives" => user.add_alternatives(entry),
            "username" => {
                return Err(entry.error(
                    "`username` is what a login has proved: no parameter of a user can set it",
                ));
            }
            key => match without_effect(key) {
                Some(why) => return Err(entry.error(why)),
                None => user
                    .parameters
                    .push((key.to_owned(), entry.value().to_owned())),
            },
        }
    }
    Ok(user)
}

impl User {
    fn set_password(&mut self, entry: &Entry, options: &DirectoryOptions) -> Result<(), ConfError> {
        if self.secret.is_some() {
            return Err(entry.error(format!("a second password for `{}`", self.name)));
        }
        self.secret = Some(match entry.value() {
            "" if options.allow_empty_passwords => Secret::Anything,
            "" => {
                return Err(entry.error(format!(
                    "an empty password lets anyone log in as `{}`; leave the line out for a user who cannot log in",
                    self.name
                )));
            }
            password => Secret::Password(password.to_owned()),
        });
        Ok(())
    }

    fn add_ha1(&mut self, entry: &Entry, options: &DirectoryOptions) -> Result<(), ConfError> {
        let ha1 = read_ha1(entry.value(), &options.realm).ok_or_else(|| {
            entry.error("`ha1` is HEX, ALGORITHM:HEX or ALGORITHM:REALM:HEX, the algorithm MD5, SHA-256 or SHA-512-256")
        })?;
        match &mut self.secret {
            None => self.secret = Some(Secret::Ha1(vec![ha1])),
            Some(Secret::Ha1(known)) if !known.iter().any(|other| same_purpose(other, &ha1)) => {
                known.push(ha1);
            }
            Some(_) => return Err(entry.error(format!("a second password for `{}`", self.name))),
        }
        Ok(())
    }

    fn add_alternatives(&mut self, entry: &Entry) {
        for number in entry
            .value()
            .split(',')
            .map(str::trim)
            .filter(|number| !number.is_empty())
        {
            if !self.alternatives.iter().any(|known| known == number) {
                self.alternatives.push(number.to_owned());
            }
        }
    }
}

fn same_purpose(one: &Ha1, other: &Ha1) -> bool {
    one.hash() == other.hash() && one.realm() == other.realm()
}

/// A realm may hold colons, the two other parts cannot.
fn read_ha1(value: &str, realm: &str) -> Option<Ha1> {
    let Some((algorithm, rest)) = value.split_once(':') else {
        return Ha1::new(HashFunction::Md5, realm, value);
    };
    let algorithm: Algorithm = algorithm
        .trim()
        .parse()
        .ok()
        .filter(|algorithm: &Algorithm| !algorithm.is_session())?;
    let (realm, hex) = rest.rsplit_once(':').unwrap_or((realm, rest));
    Ha1::new(algorithm.hash(), realm, hex.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_with(text: &str, allow_empty_passwords: bool) -> Result<Directory, ConfError> {
        let conf = Conf::parse("regfile.conf", text).expect("a readable file");
        Directory::load(
            &conf,
            &DirectoryOptions {
                realm: "offhook".into(),
                allow_empty_passwords,
            },
        )
    }

    fn load(text: &str) -> Result<Directory, ConfError> {
        load_with(text, false)
    }

    fn ringing(directory: &Directory, number: &str) -> Vec<String> {
        directory
            .users_of_number(number)
            .map(|user| user.name().to_owned())
            .collect()
    }

    #[test]
    fn the_file_of_the_telephone_system_is_read_as_it_is() {
        let directory =
            load("[general]\nauth=100\nregister=100\nroute=100\n\n[sunny]\npassword=870212\n")
                .expect("good");
        let sunny = directory.user("sunny").expect("known");
        assert!(matches!(sunny.secret(), Some(Secret::Password(password)) if password == "870212"));
        assert!(!directory.autocreate());
        assert!(directory.user("general").is_none(), "not a user name");
        assert!(directory.user("Sunny").is_none(), "names have case");
    }

    #[test]
    fn a_number_on_several_users_rings_them_in_the_order_of_the_file() {
        let directory = load("[b]\nalternatives= 100, 101,,100 \n[a]\nalternatives=100,b,a\n[c]\n")
            .expect("good");
        assert_eq!(ringing(&directory, "100"), ["b", "a"]);
        assert_eq!(ringing(&directory, "101"), ["b"]);
        assert_eq!(ringing(&directory, "b"), ["b", "a"]);
        assert_eq!(
            ringing(&directory, "a"),
            ["a"],
            "once, though it is name and alternative"
        );
        assert!(ringing(&directory, "999").is_empty());
        assert!(
            directory.user("c").expect("known").secret().is_none(),
            "can be called, cannot log in"
        );
    }

    #[test]
    fn other_keys_are_parameters_of_the_users_calls() {
        let directory =
            load("[u1]\npassword=x\ncaller=1\ncallername=The ${caller}\n").expect("good");
        let parameters = directory.user("u1").expect("known").parameters();
        assert_eq!(
            parameters,
            [
                ("caller".into(), "1".into()),
                ("callername".into(), "The ${caller}".into())
            ]
        );
    }

    #[test]
    fn an_empty_password_needs_a_switch() {
        let text = "[u1]\n; to be filled in\npassword=\n";
        let error = load(text).expect_err("refused");
        assert_eq!((error.file(), error.line()), ("regfile.conf", 3));
        let directory = load_with(text, true).expect("allowed");
        assert!(matches!(
            directory.user("u1").expect("known").secret(),
            Some(Secret::Anything)
        ));
    }

    #[test]
    fn hashes_may_stand_in_the_place_of_a_password() {
        let (md5, sha) = ("0123456789abcdef".repeat(2), "0123456789ABCDEF".repeat(4));
        let text = format!("[u1]\nha1={md5}\nha1=SHA-256:{sha}\nha1=SHA-256:other:realm:{sha}\n");
        let directory = load(&text).expect("good");
        let secret = directory
            .user("u1")
            .expect("known")
            .secret()
            .expect("can log in");
        assert!(secret.ha1(HashFunction::Md5, "u1", "offhook").is_some());
        assert!(secret.ha1(HashFunction::Sha256, "u1", "offhook").is_some());
        assert!(
            secret
                .ha1(HashFunction::Sha256, "u1", "other:realm")
                .is_some()
        );
        assert!(
            secret
                .ha1(HashFunction::Sha512_256, "u1", "offhook")
                .is_none()
        );
    }

    #[test]
    fn mistakes_are_told_with_file_and_line() {
        let hex = "0".repeat(32);
        for (text, line) in [
            ("[u1]\npassword=a\npassword=b\n".to_owned(), 3),
            (format!("[u1]\npassword=a\nha1={hex}\n"), 3),
            (format!("[u1]\nha1={hex}\nha1={hex}\n"), 3),
            (format!("[u1]\nha1=SHA-256:{hex}\n"), 2),
            (format!("[u1]\nha1=MD5-sess:{hex}\n"), 2),
            (format!("[u1]\nha1=SHA-1:{hex}\n"), 2),
            ("[u1]\nha1=\n".to_owned(), 2),
            ("[u1]\nusername=boss\n".to_owned(), 2),
            ("[u1]\npassword=a\nformats=alaw\n".to_owned(), 3),
            ("[general]\nauth=high\n".to_owned(), 2),
            ("[general]\nautocreate=perhaps\n".to_owned(), 2),
            ("[general]\npassword=x\n".to_owned(), 2),
        ] {
            assert_eq!(load(&text).expect_err(&text).line(), line, "{text}");
        }
    }

    #[test]
    fn autocreate_and_file_are_handed_on() {
        let directory = load("[general]\nautocreate=yes\nfile=regs.conf\n").expect("good");
        assert!(directory.autocreate());
        assert_eq!(directory.file(), Some("regs.conf"));
        assert_eq!(load("[general]\nfile=\n").expect("good").file(), None);
    }
}
