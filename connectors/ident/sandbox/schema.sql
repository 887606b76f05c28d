-- The demo clinic's database: the tables of iDent that an integration reads, in SQLite's dialect.
--
-- There is no public documentation of iDent's schema. Table and column names are those that published integrations
-- query (GitHub: strraaa/ident-gui, Vovarama1992/ident-amo and their kin); types are ours. Two things are NOT iDent's
-- and say so where they stand: the names of the dictionaries' columns, and the table KresloDemoEnquiries.
--
-- No schema prefix here: the source attaches this file under the name `dbo`, as in Microsoft SQL Server.
-- Only primary keys: an integration may not count on any other index of the real program.
-- Times are naive clinic-local, 'YYYY-MM-DD HH:MM:SS'. Patients and Staffs have no ID of their own: ID_Persons is it.
-- Left out on purpose: medical tables (treatment plans, diagnoses, sanation), the slot grid, payroll.

CREATE TABLE Persons (
    ID          INTEGER PRIMARY KEY,
    Surname     NVARCHAR(100),
    Name        NVARCHAR(100),
    Patronymic  NVARCHAR(100),
    Birthday    NVARCHAR(50),   -- text in iDent too, in more than one format
    MobilePhone NVARCHAR(100),
    Phone       NVARCHAR(100)
);

CREATE TABLE Patients (
    ID_Persons            INTEGER PRIMARY KEY,
    FirstVisit            DATETIME,
    MinStatus             INTEGER,
    InitialBalance        DECIMAL(18, 2),
    InitialTreatmentSum   DECIMAL(18, 2),
    ParentSNP             NVARCHAR(300),  -- the representative's full name
    ID_Agents             INTEGER,
    JobPlace              NVARCHAR(300),
    Profession            NVARCHAR(300),
    CardNumber            NVARCHAR(50),
    Comment               NVARCHAR(2000),
    AdditionalComment     NVARCHAR(2000),
    ID_InfoSources        INTEGER,
    ID_StaffInfoSources   INTEGER,
    ID_ArchivingReasons   INTEGER,
    ID_Staffs             INTEGER,        -- the attending doctor
    ConformToSending      BIT,
    SMSRejection          BIT,
    BillIsNecessary       BIT,
    EGISZRejection        BIT,
    FirstConsultation     DATETIME,
    FirstTreat            DATETIME,
    ExternalUID           NVARCHAR(100),
    ID_StaffsChanged      INTEGER,
    DateTimeChanged       DATETIME,
    PatientNumber         INTEGER,
    Status                INTEGER         -- its meaning is not public; the demo writes 1 everywhere
);

CREATE TABLE Staffs (
    ID_Persons INTEGER PRIMARY KEY,
    Archive    BIT
);

CREATE TABLE ProfessionNames (
    ID             INTEGER PRIMARY KEY,
    NameProfession NVARCHAR(200),
    ID_Roles       INTEGER,               -- 7 administrator, 8 doctor, 9 director, 104 marketer (seen at one clinic)
    Archive        BIT
);

-- Who has which profession: a doctor with two has two rows here.
CREATE TABLE Items (
    ID                 INTEGER PRIMARY KEY,
    ID_Staffs          INTEGER NOT NULL,
    ID_ProfessionNames INTEGER NOT NULL
);

-- Legal entity or branch.
CREATE TABLE OwnCompanies (
    ID   INTEGER PRIMARY KEY,
    Name NVARCHAR(300)
);

CREATE TABLE Armchairs (
    ID              INTEGER PRIMARY KEY,
    NameArmchair    NVARCHAR(100),
    ID_OwnCompanies INTEGER
);

-- Dictionaries. Their names follow from the key columns that point to them; the column Name is ASSUMED.
CREATE TABLE ReceptionCancelReasons (
    ID   INTEGER PRIMARY KEY,
    Name NVARCHAR(200)
);
CREATE TABLE AppointmentSources (
    ID   INTEGER PRIMARY KEY,
    Name NVARCHAR(200)
);
CREATE TABLE InfoSources (
    ID   INTEGER PRIMARY KEY,
    Name NVARCHAR(200)
);

-- An appointment. There is no status: the nullable instants are it. A row without a patient is blocked time.
CREATE TABLE Receptions (
    ID                         INTEGER PRIMARY KEY,
    ID_Patients                INTEGER,
    ID_Staffs                  INTEGER,   -- the doctor
    ID_Armchairs               INTEGER,
    PlanStart                  DATETIME,
    PlanEnd                    DATETIME,
    Comment                    NVARCHAR(2000),
    ReceptionAdded             DATETIME,
    ID_StaffsReceptionAdded    INTEGER,   -- the registrar
    DateTimeNotified           DATETIME,
    IsNotified                 BIT,
    ID_DeliveryNotifications   INTEGER,
    NeedHandReminder           BIT,
    PatientAppeared            DATETIME,
    ReceptionStarted           DATETIME,
    ReceptionEnded             DATETIME,
    CheckIssued                DATETIME,
    ReceptionCanceled          DATETIME,
    ID_ReceptionCancelReasons  INTEGER,
    CancelReasonComment        NVARCHAR(1000),
    ID_StaffsReceptionCanceled INTEGER,
    ID_ReceptionsTransferFrom  INTEGER,   -- the reception that this one was moved from
    ID_ExternalProviders       INTEGER,
    ExternalProviderComment    NVARCHAR(1000),
    ID_AppointmentSources      INTEGER,
    ExternalUID                NVARCHAR(100),
    RowVersion                 INTEGER,   -- whether iDent's is a true rowversion is not public; the demo leaves it empty
    ID_StaffsAdded             INTEGER,
    DateTimeAdded              DATETIME,
    ID_StaffsChanged           INTEGER,
    DateTimeChanged            DATETIME   -- moves when the plan is edited, NOT when a status instant is set
);

-- A work order («наряд»); a reception may have several.
CREATE TABLE Orders (
    ID                 INTEGER PRIMARY KEY,
    ID_Receptions      INTEGER,
    ID_OwnCompanies    INTEGER,
    DateTimeOrder      DATETIME,
    DateTimeBillFormed DATETIME
);

CREATE TABLE ServiceItems (
    ID   INTEGER PRIMARY KEY,
    Name NVARCHAR(300)
);

CREATE TABLE ServiceItemPrices (
    ID              INTEGER PRIMARY KEY,
    ID_ServiceItems INTEGER NOT NULL,
    Price           DECIMAL(18, 2)
);

-- A line of an order. The visit's amount is the sum of CountService * Price - DiscountSum.
CREATE TABLE OrderServiceRelation (
    ID                              INTEGER PRIMARY KEY,
    ID_Orders                       INTEGER NOT NULL,
    ID_ServicePrices                INTEGER NOT NULL,
    CountService                    DECIMAL(18, 3),
    DiscountSum                     DECIMAL(18, 2),
    ID_TreatmentPlanElementRelations INTEGER
);

CREATE TABLE OrderPaymentsJournal (
    ID_Orders                INTEGER PRIMARY KEY,
    DateTimeBill             DATETIME,
    ID_Patients              INTEGER,
    ID_Staffs                INTEGER,
    ID_StaffsAssistant       INTEGER,
    IsBillFormed             BIT,
    IsShop                   BIT,
    Amount                   DECIMAL(18, 2),
    AmountWithDiscount       DECIMAL(18, 2),
    WarrantyAmount           DECIMAL(18, 2),
    InsuranceAmount          DECIMAL(18, 2),
    InsuranceRejectedAmount  DECIMAL(18, 2),
    InsuranceConfirmedAmount DECIMAL(18, 2),
    HasWarranty              BIT,
    HasInsurance             BIT,
    HasCoupon                BIT,
    Debt                     DECIMAL(18, 2)
);

CREATE TABLE PaymentsIn (
    ID               INTEGER PRIMARY KEY,
    DateTimePayment  DATETIME,
    DatePayment      DATE,
    Payment          DECIMAL(18, 2),
    ID_Patients      INTEGER,
    ID_OwnCompanies  INTEGER,
    ID_CashDescs     INTEGER,
    ID_ServiceGroups INTEGER,
    ID_Staffs        INTEGER
);

-- Who is to be invited later («пригласить позже»): not the diary. Closed once one of the …Close columns, or a reason, stands.
CREATE TABLE ScheduledReceptions (
    ID                                  INTEGER PRIMARY KEY,
    ID_Patients                         INTEGER,
    ID_Receptions                       INTEGER,   -- the reception at which it was planned
    ID_CRMJobTypes                      INTEGER,
    ID_SanationTypes                    INTEGER,
    ID_OwnCompanies                     INTEGER,
    ID_ProfessionNames                  INTEGER,
    ID_Staffs                           INTEGER,
    Comment                             NVARCHAR(2000),
    Length                              INTEGER,
    ID_ReceptionsClose                  INTEGER,   -- the reception that came of it
    ID_DelayAppointmentsClose           INTEGER,
    ID_ReceptionCancelReasons           INTEGER,
    ID_CrmJobCommunicationCommentsClose INTEGER,
    DateTimeAdded                       DATETIME,
    DateTimeChanged                     DATETIME
);

-- INVENTED for the demo, hence its name: iDent keeps enquiries («История обращений») in a table that is not public.
CREATE TABLE KresloDemoEnquiries (
    ID            INTEGER PRIMARY KEY,
    DateTimeAdded DATETIME NOT NULL,
    Phone         NVARCHAR(100),
    Name          NVARCHAR(300),
    Result        NVARCHAR(500),
    Source        NVARCHAR(200)
);
